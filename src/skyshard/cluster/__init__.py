"""The private cluster: servers, their options and accounts, and the folder that holds them."""
