"""`inland regions up --target local`: isolated regions on one Linux host, without a cloud."""
