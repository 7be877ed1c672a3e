"""ML backend of Label Studio that reads pictures, and a converter of its exports to labelled lines."""
