"""Features: the author's words as one vector of float32 a mail, by pure functions.

tokens        text -> words, as GloVe 6B counted them
vector_files  published word vectors, read once and checked line by line
glove         a memory-mapped store of word vectors, built once, shared by all processes
pooling       words' vectors -> a mail's vector, in bits that do not depend on order or batches
split         train, validation or test, by conversation
spec          all that decides a vector, written down; texts -> vectors
kernel        the stage: a batch of clean mail -> a batch of features
"""
