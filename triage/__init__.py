"""What a hospital IT ticket is and what to do with it; knows neither Slack, Flask nor scikit-learn."""
