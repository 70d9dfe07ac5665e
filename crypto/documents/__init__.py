"""Signatures in PDF documents (PAdES): by people with keys in their own hands, and the platform's seal."""
