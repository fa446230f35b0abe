"""What `inland regions plan | up | down | status | supply` do: gate first, then the cloud."""
