"""Blocks of text, tables and pictures, put into one HTML file."""
