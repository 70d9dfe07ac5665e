"""Suspensions (暂停交易): what they are, from which moment to which, now or planned for a day to come."""
