"""The script that a competent user of Spark writes for this job: BeautifulSoup, Word2Vec averages, MLlib.

    python bench/idiom/pipeline.py --mail FOLDER --labels labels.csv --split split.csv --out result.json

Kept as a peer for `bench/end_to_end.py`, and written with care: messages are parsed once and cached, a mail that came
twice counts once, the Python function returns all columns in one pass, quotes and signatures are cut by
mail-parser-reply, Arrow carries batches, Kryo and adaptive execution are on, the word vectors are trained on the
training split alone. Word2Vec reads it once, as is MLlib's default; more `--iterations` take longer and give better
vectors. `--mail` is a folder of Parquet files with a column `raw`; `--labels` has message_id,label; `--split`
message_id,split, so that both pipelines are judged on the same mails. Needs mailmill[bench,spark].
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression, RandomForestClassifier
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import RegexTokenizer, StringIndexer, Word2Vec
from pyspark.sql import DataFrame, SparkSession, functions

CLEANED = "message_id string, text string"


def cleaned(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Message-ID and the author's text of each message."""
    import email
    import email.policy
    import warnings

    from bs4 import BeautifulSoup
    from mailparser_reply import EmailReplyParser

    warnings.filterwarnings("ignore")
    replies = EmailReplyParser(languages=["en"])
    for batch in batches:
        rows = []
        for raw in batch["raw"]:
            try:
                message = email.message_from_bytes(raw, policy=email.policy.default)
                body = message.get_body(("plain", "html"))
                text = body.get_content() if body else ""
                if body and body.get_content_type() == "text/html":
                    text = BeautifulSoup(text, "lxml").get_text("\n")
                reply = replies.parse_reply(text) or text
                rows.append((str(message["Message-ID"] or "").strip("<> \r\n"), reply))
            except Exception:
                continue
        yield pd.DataFrame(rows, columns=["message_id", "text"])


def f1(predictions: DataFrame, label: float) -> float:
    evaluator = MulticlassClassificationEvaluator(metricName="fMeasureByLabel", metricLabel=label)
    return float(evaluator.evaluate(predictions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mail", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dimension", type=int, default=100, help="of the word vectors [100, Spark's default]")
    parser.add_argument("--iterations", type=int, default=1, help="of Word2Vec [1, MLlib's default]")
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--memory", default="4g", help="of the one JVM [4g]")
    given = parser.parse_args()

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    began = time.monotonic()
    spark = (
        SparkSession.builder.master(f"local[{given.cores}]")
        .config("spark.driver.memory", given.memory)
        .config("spark.sql.shuffle.partitions", str(given.cores * 4))
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "2000")
        .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    seconds = {"start": time.monotonic() - began}

    began = time.monotonic()
    labels = spark.read.csv(str(given.labels), header=True).dropDuplicates(["message_id"])
    split = spark.read.csv(str(given.split), header=True)
    raw = spark.read.parquet(str(given.mail)).select("raw").repartition(given.cores * 8)
    texts = raw.mapInPandas(cleaned, CLEANED).dropDuplicates(["message_id"])
    mails = texts.join(labels, "message_id").join(split, "message_id").cache()
    rows = mails.count()
    seconds["clean"] = time.monotonic() - began

    train = mails.filter(functions.col("split") == "train").cache()
    test = mails.filter(functions.col("split") == "test").cache()
    indexer = StringIndexer(inputCol="label", outputCol="indexed", stringOrderType="alphabetAsc").fit(train)
    tokens = RegexTokenizer(inputCol="text", outputCol="tokens", pattern=r"[^\w']+")
    vectors = Word2Vec(inputCol="tokens", outputCol="features", vectorSize=given.dimension, minCount=5, seed=1)
    vectors = vectors.setNumPartitions(given.cores).setMaxIter(given.iterations)
    began = time.monotonic()
    featurizer = Pipeline(stages=[indexer, tokens, vectors]).fit(train)
    columns = ["message_id", "indexed", "features"]
    learned = featurizer.transform(train).select(*columns).withColumnRenamed("indexed", "label").cache()
    judged = featurizer.transform(test).select(*columns).withColumnRenamed("indexed", "label").cache()
    learned.count()
    seconds["features"] = time.monotonic() - began

    figures = {}
    models = {
        "logistic": LogisticRegression(regParam=1e-4, maxIter=100),
        "forest": RandomForestClassifier(numTrees=given.trees, maxDepth=10, maxBins=128, seed=1),
    }
    for name, model in models.items():
        began = time.monotonic()
        fitted = model.fit(learned)
        seconds[name] = time.monotonic() - began
        predictions = fitted.transform(judged).cache()
        figures[name] = {c: f1(predictions, float(i)) for i, c in enumerate(indexer.labels)}
    result = {"rows": rows, "test_rows": judged.count(), "seconds": seconds, "f1": figures}
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    spark.stop()


if __name__ == "__main__":
    main()
