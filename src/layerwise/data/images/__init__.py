"""Images: files, folders of classes and of masks, preprocessing, augmentation."""
