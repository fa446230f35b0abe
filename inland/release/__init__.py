"""Makes the two bundles that a machine installs: the software, and what is served with it."""
