"""The pages that people open in a browser of their own: the manager's `/floor` and the rep's `/me`."""
