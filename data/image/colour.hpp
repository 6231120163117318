#pragma once
#include "data/transform.hpp"

// Changes of colour with the bits of Pillow (ImageEnhance, convert) and torchvision's functional
// transforms on its pictures. A factor of 1 leaves the picture as it is.
namespace dml {

/// Towards black (factor 0) or away from it.
void change_brightness(Image& image, float factor);
/// Towards the mean grey of the picture or away from it.
void change_contrast(Image& image, float factor);
/// Towards the grey of every pixel or away from it.
void change_saturation(Image& image, float factor);
/// Turns the hue by a share of the circle, -0.5 to 0.5.
void turn_hue(Image& image, double share);
/// Three equal channels: ITU-R 601 luma.
void make_grey(Image& image);

}  // namespace dml
