"""What people read on pages that the api makes itself: texts in their language, and how it writes values."""
