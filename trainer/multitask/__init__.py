"""One text encoder under the heads of several tasks, learnt jointly from several sources of data."""
