"""What every package uses: journal, group commit, database, bus, clock, money, access, web frame."""
