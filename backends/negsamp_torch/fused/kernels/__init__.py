"""What runs on the device. Shapes and laws are told where these are launched, one level up."""
