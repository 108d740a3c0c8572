"""Features: the author's words as columns, by pure functions.

tokens        text -> words, as GloVe 6B counted them
vector_files  published word vectors, read once and checked line by line
glove         a memory-mapped store of word vectors, built once, shared by all processes
pieces        texts -> arrays of rows and hashes, without a Python object a word
pooling       words' vectors -> a mail's vector, in bits that do not depend on order or batches
ngrams        runs of words -> hashed columns and their values
split         train, validation or test, and folds, by conversation
spec          all that decides a feature, written down
rows          rows of the clean table -> tokens, split, fold, label
counts        the first pass: mails by word, n-gram, class and fold
weights       counts -> idf, SIF and naive Bayes weights; their files
common        SIF's common component
fitting       the passes in their order
featurize     texts -> columns, for the stage and for one message
kernel        the stage: a batch of clean mail -> a batch of features
compiled      the loops of all these, by Numba
"""
