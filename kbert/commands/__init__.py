"""What the command line calls: each a public function of the same name."""
