"""Certificates of users (数字证书): enrolled here or registered from outside, renewed, revoked."""
