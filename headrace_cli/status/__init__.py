"""`headrace status`: every server is asked, wherever it runs, and says what it serves."""
