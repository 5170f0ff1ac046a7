"""Names of the models that ``keras3_writer.py`` writes, for tests that do not import Keras 3."""

SIDE = 12
CLASSES = 4
RANDOM = {
    "ActivityRegularization": (0.1,), "AlphaDropout": (0.1,), "AugMix": ((0, 255),), "CutMix": (),
    "MixUp": (), "RandAugment": ((0, 255),), "RandomBrightness": (0.3,), "RandomColorDegeneration": (0.3,), "RandomColorJitter": (),
    "RandomContrast": (0.3,), "RandomElasticTransform": (), "RandomErasing": (),
    "RandomFlip": (), "RandomGaussianBlur": (), "RandomGrayscale": (), "RandomHue": (0.3,),
    "RandomInvert": (), "RandomPerspective": (), "RandomPosterization": (4,),
    "RandomRotation": (0.2,), "RandomSaturation": (0.3,), "RandomSharpness": (0.3,),
    "RandomShear": (0.2, 0.2), "RandomTranslation": (0.2, 0.2), "RandomZoom": (0.2,),
}  # fmt: skip
MODELS = (
    "every_layer", "arithmetic", "operations", "ends_in_model", "inputs_by_name", "odd_names", "caffe", "torch", "tf", "normalize", "unit", "norm", "sqrt",
    "activations", "arrays_as_settings", "augmented", "sequential", "nested", "fork", "frozen", "half", "mobilenet_v3",
    "efficientnet", "efficientnet_v2",
)  # fmt: skip
LARGE = (
    "mobilenet_v3_minimal", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_v2_b0",
    "efficientnet_v2_s",
)  # fmt: skip
REFUSED = ("unmapped", "with_code", "code_as_activation")
SIAMESE = ("siamese", "siamese_by_code", "siamese_by_own_layer")
SHARING = (
    "siamese_behind_scaling",
    "shared_layers",
    "shared_inside",
    "two_outputs",
    "shared_by_models",
    "unbuilt",
)
"""Files that lead to a part of the model, or to another way of saving it."""
