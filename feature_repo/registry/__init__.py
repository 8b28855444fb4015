"""Entities, views and services as Feast knows them."""
