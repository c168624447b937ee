"""What a training did, as a record of numbers and as a page to look at."""
