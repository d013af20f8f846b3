"""What must outlive the process: accounts, identities, login families and their revocation."""
