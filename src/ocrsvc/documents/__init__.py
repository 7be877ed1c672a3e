"""What the lines of pages become together: rows, paragraphs, tables, headers and footers."""
