"""What is looked at once an hour, over hours: is a deployment on the cheaper path, and does it cost what it used to?"""
