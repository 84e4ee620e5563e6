"""What stands between the network and the page: logins, belongings, shutdown, memory."""
