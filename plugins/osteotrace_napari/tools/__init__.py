"""What a reader has in hand: one pointer for all views, and small tools it hands points.

A tool takes points in patient LPS mm, shows what is being drawn, and hands what was
marked to whoever records it. It measures nothing and knows no session.
"""
