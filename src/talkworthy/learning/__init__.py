"""LEARN: what people say of annotations are labels; models are trained on them, compared, and chosen."""
