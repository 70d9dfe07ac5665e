"""The load: a process of its own with clients in C, the same ones for baseline and product."""
