"""The demo: a control plane, three regions, a clinic and a page on one machine."""
