"""TODO scripts"""
