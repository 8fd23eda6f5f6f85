"""What became of a batch: report, gallery, listing."""
