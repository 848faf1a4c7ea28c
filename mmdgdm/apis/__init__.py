"""What the tools call: runs, reports and weight conversion."""
