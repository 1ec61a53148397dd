"""Where a treatment works, read off images: encoders, latent clusters, inference."""
