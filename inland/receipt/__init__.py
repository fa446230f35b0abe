"""What an operator and an auditor do with receipts: fetch them, read them, judge them."""
