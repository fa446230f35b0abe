"""Policy bundles on the operator's side: what goes in, what it changes, what it says."""
