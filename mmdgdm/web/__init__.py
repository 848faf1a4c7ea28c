"""A page in the browser on which one drops images and sees what models see.

It needs the extra ``web``; nothing of it is imported before it is used.
"""
