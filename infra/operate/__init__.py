"""What `inland regions plan | up | down | status | supply` do."""
