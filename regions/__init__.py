"""The law and the map: regions, jurisdictions, policy, residency tags. Imports nothing of ours."""
