"""The outcome of a batch: report, gallery, listing."""
