"""What people look at: self-contained pages and the pictures in them."""
