"""Documents for people (文书): described as values, set as PDF, sealed by the platform and time-stamped."""
