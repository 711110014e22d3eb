"""What people look at: one page of HTML, and single charts, of what stands at a destination."""
