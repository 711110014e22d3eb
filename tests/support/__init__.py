"""What several tests share: servers, shops, generated questions, and the command line in this process."""
