"""Statistical models only: reads labelled text, trains, judges, stores and serves classifiers."""
