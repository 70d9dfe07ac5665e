"""Administrative regions (行政区划, GB/T 2260): codes, names, what covers what."""
