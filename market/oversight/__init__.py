"""Oversight (监督查看): why a supervisor or an auditor looks into a running hall; each visit is in the journal."""
