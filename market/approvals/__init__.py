"""Approvals (提请审批): orders that wait for a second hand."""
