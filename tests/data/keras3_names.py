"""Names of the models that ``keras3_writer.py`` writes, for tests that do not import Keras 3."""

SIDE = 12
CLASSES = 4
RANDOM = {
    "RandomBrightness": (0.3,), "RandomColorDegeneration": (0.3,), "RandomColorJitter": (),
    "RandomContrast": (0.3,), "RandomElasticTransform": (), "RandomErasing": (),
    "RandomFlip": (), "RandomGaussianBlur": (), "RandomGrayscale": (), "RandomHue": (0.3,),
    "RandomInvert": (), "RandomPerspective": (), "RandomPosterization": (4,),
    "RandomRotation": (0.2,), "RandomSaturation": (0.3,), "RandomSharpness": (0.3,),
    "RandomShear": (0.2, 0.2), "RandomTranslation": (0.2, 0.2), "RandomZoom": (0.2,),
}  # fmt: skip
MODELS = (
    "every_layer", "arithmetic", "caffe", "torch", "tf", "normalize", "unit", "norm", "sqrt",
    "activations", "augmented", "sequential", "nested", "fork", "frozen", "half", "mobilenet_v3",
    "efficientnet", "efficientnet_v2",
)  # fmt: skip
LARGE = (
    "mobilenet_v3_minimal", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_b0",
    "efficientnet_v2_s",
)  # fmt: skip
REFUSED = ("unmapped", "with_code")
