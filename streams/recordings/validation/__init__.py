"""Does a recorded stream keep the contract, and is there enough in it to learn from?"""
