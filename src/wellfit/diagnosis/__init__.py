"""The diagnosis: errors against an optimal error, gaps with verdicts, findings, a prescription. Never imports torch."""
