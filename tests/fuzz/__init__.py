"""What holds of any bytes whatever. Each target takes bytes and fails when it does not hold."""
